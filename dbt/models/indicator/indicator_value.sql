{{ config(
    materialized='incremental', incremental_strategy='recompute', on_schema_change='append_new_columns', upstream='int_case_day',
    unique_key=['indicator_code', 'area_level', 'area_id', 'dept_id', 'period_kind', 'period_start'],
    pre_hook='select 1', post_hook='{{ record_position() }}'
) }}
{%- set levels = ['grid', 'community', 'street', 'district', 'city'] %}
{%- set place = ['area_level', 'area_id', 'dept_id', 'period_kind', 'period_start'] | join(', ') %}
{%- set changes = only_changes() %}

with horizon as (
    select {{ local_day('as_of') }} as last_day from ({{ data_horizon() }}) as h
),

{%- if changes %}
touched as (
    {{ touched_cube_days() }}
),

touched_month as (
    select distinct {{ month_start('day') }} as month from touched
),
{%- endif %}

-- the version of a definition that holds in a period is the newest one in force at its start
definition as (
    select
        d.*,
        coalesce(lead(d.valid_from) over (partition by d.code order by d.valid_from), date '9999-12-31') as valid_to,
        l.level_no as lowest_no,
        ld.level_no as lowest_day_no
    from {{ ref('indicator_definition') }} as d
    inner join {{ ref('area_level') }} as l on d.lowest_level = l.code
    inner join {{ ref('area_level') }} as ld on d.lowest_level_day = ld.code
),

cube as (
    select
        c.*,
        {{ month_start('c.day') }} as month,
        coalesce(c.dept_id, 'unassigned') as unit_id
    from {{ ref('int_case_day') }} as c
    where c.day <= (select last_day from horizon)
),

{{ rolled_up(
    'cube', 'flow_rolled', levels, ['day', 'month'], flow_measures(),
    'month in (select month from touched_month)' if changes else '1 = 1'
) }},

flow_period as (
    select
        f.*,
        a.area_km2 * (
            case
                when f.period_kind = 'day' then 1
                else {{ day_number('least(' ~ add_days(next_month_start('f.period_start'), -1) ~ ', h.last_day)') }}
                    - {{ day_number('f.period_start') }} + 1
            end
        ) / 30.0 as area_km2_30d
    from flow_rolled as f
    cross join horizon as h
    left join {{ ref('dim_area') }} as a on f.area_level = a.area_level and f.area_id = a.area_id
    {%- if changes %}
    where f.period_kind = 'month' or f.period_start in (select day from touched)
    {%- endif %}
),

{{ rolled_up(
    'cube', 'stock_flow', levels, ['day'], stock_flows(), 'opened_count <> 0 or ended_count <> 0'
) }},

-- what is open after each day on which something was opened or ended, and until when that holds
stock_state as (
    select
        area_level,
        area_id,
        dept_id,
        period_start as first_day,
        lead(period_start) over (partition by area_level, area_id, dept_id order by period_start) as next_day,
        sum(opened_count - ended_count) over (
            partition by area_level, area_id, dept_id order by period_start
        ) as open_count,
        sum(opened_day_sum - ended_day_sum) over (
            partition by area_level, area_id, dept_id order by period_start
        ) as day_sum
    from stock_flow
),

bounds as (
    select min(c.day) as first_day, max(h.last_day) as last_day
    from cube as c
    cross join horizon as h
),

spine as (
    {{ day_spine('first_day', 'last_day', 'bounds') }}
),

period_end as (
    select 'day' as period_kind, day as period_start, day as end_day from spine
    union all
    select 'month' as period_kind, {{ month_start('day') }} as period_start, max(day) as end_day
    from spine
    group by {{ month_start('day') }}
),

stock_period as (
    select
        s.area_level,
        s.area_id,
        s.dept_id,
        p.period_kind,
        p.period_start,
        s.open_count,
        s.open_count * {{ day_number('p.end_day') }} - s.day_sum as open_age_days
    from stock_state as s
    inner join period_end as p
        on s.first_day <= p.end_day and (s.next_day is null or s.next_day > p.end_day)
    where
        (s.open_count <> 0 or (p.period_kind = 'month' and s.dept_id = '*'))
        -- day by day down to the level that any stock indicator is defined for
        and (p.period_kind = 'month' or s.area_level in ('city', 'district', 'street'))
        {%- if changes %}
        and p.period_start >= (
            select case when p.period_kind = 'day' then min(day) else {{ month_start('min(day)') }} end from touched
        )
        {%- endif %}
),

-- one row per measure that is not zero: most areas have no case on most days
amount as (
    {{ measures_as_rows('flow_period', place, flow_measures() | list + ['area_km2_30d']) }}
    union all
    {{ measures_as_rows('stock_period', place, ['open_count', 'open_age_days']) }}
),

part as (
    select a.*, d.code, a.amount as numerator, 0.0 as denominator
    from amount as a
    inner join definition as d on a.measure = d.numerator_measure
    where a.period_start >= d.valid_from and a.period_start < d.valid_to
    union all
    select a.*, d.code, 0.0 as numerator, a.amount as denominator
    from amount as a
    inner join definition as d on a.measure = d.denominator_measure
    where a.period_start >= d.valid_from and a.period_start < d.valid_to
    union all
    -- a month shows every indicator of every area, also those that do not apply
    select
        f.area_level,
        f.area_id,
        f.dept_id,
        f.period_kind,
        f.period_start,
        '' as measure,
        0.0 as amount,
        d.code,
        0.0 as numerator,
        0.0 as denominator
    from flow_period as f
    cross join definition as d
    where f.period_kind = 'month' and f.dept_id = '*' and not {{ is_stock() }}
    union all
    select
        s.area_level,
        s.area_id,
        s.dept_id,
        s.period_kind,
        s.period_start,
        '' as measure,
        0.0 as amount,
        d.code,
        0.0 as numerator,
        0.0 as denominator
    from stock_period as s
    cross join definition as d
    where s.period_kind = 'month' and s.dept_id = '*' and {{ is_stock() }}
),

summed as (
    select
        code,
        {{ place }},
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from part
    group by code, {{ place }}
)

select
    s.code as indicator_code,
    d.version as definition_version,
    s.area_level,
    s.area_id,
    s.dept_id,
    s.period_kind,
    s.period_start,
    s.numerator,
    case when d.denominator_measure is not null then s.denominator end as denominator,
    case
        when d.denominator_measure is null then d.factor * s.numerator
        when s.denominator > 0 then d.factor * s.numerator / s.denominator
    end as value,
    case
        when d.denominator_measure is null then 'ok'
        when s.denominator <= 0 then 'not_applicable'
        when s.denominator < d.min_n then 'small_n'
        else 'ok'
    end as status
from summed as s
inner join definition as d
    on s.code = d.code and s.period_start >= d.valid_from and s.period_start < d.valid_to
inner join {{ ref('area_level') }} as l on s.area_level = l.code
where
    l.level_no <= case when s.period_kind = 'day' then d.lowest_day_no else d.lowest_no end
    and (s.dept_id = '*' or d.object like '%department%')
