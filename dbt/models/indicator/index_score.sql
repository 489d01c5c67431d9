{{ config(
    materialized='incremental', incremental_strategy='recompute', on_schema_change='append_new_columns', upstream='indicator_value',
    unique_key=['node', 'area_level', 'area_id', 'dept_id', 'period_kind', 'period_start'],
    batch_by='period_start', pre_hook='select 1', post_hook='{{ record_position() }}'
) }}
{%- set place = ['area_level', 'area_id', 'dept_id', 'period_kind', 'period_start'] | join(', ') %}

-- a grid is too small for an index; the batches are cut by the rows of {{ ref('indicator_value') }}
with scored as (
    select * from {{ ref('indicator_score') }}
    where
        area_level <> 'grid' and {{ in_batch('period_start') }}
        {%- if only_changes() %}
        and period_kind || ':' || cast(period_start as {{ column_type('text') }})
        in ({{ touched_keys('indicator_value') }})
        {%- endif %}
),

-- decimals, because a sum of doubles depends on the order of its rows
weighted as (
    select
        d.node,
        s.area_level,
        s.area_id,
        s.dept_id,
        s.period_kind,
        s.period_start,
        s.definition_version,
        cast(d.weight as decimal(9, 4)) as weight,
        cast(s.score as decimal(12, 4)) as score,
        d.code,
        case when not s.is_recorded then coalesce(d.name_zh, d.name_en) end as not_recorded_zh,
        case when not s.is_recorded then coalesce(d.name_en, d.name_zh) end as not_recorded_en
    from scored as s
    inner join {{ ref('indicator_definition') }} as d on s.indicator_code = d.code and s.definition_version = d.version
    where d.weight > 0
),

scheme as (
    select
        d.*,
        coalesce(lead(d.valid_from) over (partition by d.code order by d.valid_from), date '9999-12-31') as valid_to,
        l.level_no as lowest_no,
        ld.level_no as lowest_day_no
    from {{ ref('indicator_definition') }} as d
    inner join {{ ref('area_level') }} as l on d.lowest_level = l.code
    inner join {{ ref('area_level') }} as ld on d.lowest_level_day = ld.code
),

-- the whole weight a node could have at this place, whether or not there were cases to judge
possible as (
    select
        d.node,
        p.area_level,
        p.is_department,
        p.period_kind,
        p.period_start,
        sum(cast(d.weight as decimal(9, 4))) as weight
    from (
        select distinct area_level, dept_id <> '*' as is_department, period_kind, period_start from weighted
    ) as p
    inner join {{ ref('area_level') }} as l on p.area_level = l.code
    inner join scheme as d
        on
            p.period_start >= d.valid_from and p.period_start < d.valid_to
            and l.level_no <= case when p.period_kind = 'day' then d.lowest_day_no else d.lowest_no end
            and (not p.is_department or d.object like '%department%')
    where d.weight > 0
    group by d.node, p.area_level, p.is_department, p.period_kind, p.period_start
),

node_sum as (
    select
        node,
        {{ place }},
        sum(case when score is not null then weight else 0 end) as ok_weight,
        sum(weight * score) as weighted_score,
        {{ names_joined('not_recorded_zh', '、', 'code') }} as not_recorded_zh,
        {{ names_joined('not_recorded_en', ', ', 'code') }} as not_recorded_en
    from weighted
    group by node, {{ place }}
    union all
    select
        'overall' as node,
        {{ place }},
        sum(case when score is not null then weight else 0 end) as ok_weight,
        sum(weight * score) as weighted_score,
        {{ names_joined('not_recorded_zh', '、', 'code') }} as not_recorded_zh,
        {{ names_joined('not_recorded_en', ', ', 'code') }} as not_recorded_en
    from weighted
    group by {{ place }}
),

possible_all as (
    select * from possible
    union all
    select
        'overall' as node,
        area_level,
        is_department,
        period_kind,
        period_start,
        sum(weight) as weight
    from possible
    group by area_level, is_department, period_kind, period_start
),

indexed as (
    select
        n.node,
        n.area_level,
        n.area_id,
        n.dept_id,
        n.period_kind,
        n.period_start,
        round(cast(n.weighted_score as double) / nullif(cast(n.ok_weight as double), 0), 4) as score,
        round(cast(n.ok_weight as double) / cast(p.weight as double), 4) as coverage,
        n.not_recorded_zh,
        n.not_recorded_en
    from node_sum as n
    inner join possible_all as p
        on
            n.node = p.node and n.area_level = p.area_level and (n.dept_id <> '*') = p.is_department
            and n.period_kind = p.period_kind and n.period_start = p.period_start
)

select
    i.node,
    i.area_level,
    i.area_id,
    i.dept_id,
    i.period_kind,
    i.period_start,
    max(case when g.code is not null then i.score end) as score,
    i.coverage,
    coalesce(min(g.code), '数据不足') as grade,
    i.not_recorded_zh,
    i.not_recorded_en
from indexed as i
left join {{ ref('index_grade') }} as g on i.score >= g.min_score and i.coverage >= g.min_coverage
group by
    i.node, i.area_level, i.area_id, i.dept_id, i.period_kind, i.period_start, i.coverage, i.not_recorded_zh,
    i.not_recorded_en
