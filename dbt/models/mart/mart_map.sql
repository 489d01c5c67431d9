with shown as (
    select {{ months_before(month_start('as_of'), 24) }} as after_month
    from {{ ref('mart_state') }}
),

months as (
    select distinct v.period_start
    from {{ ref('indicator_value') }} as v
    cross join shown as s
    where v.area_level = 'city' and v.dept_id = '*' and v.period_kind = 'month' and v.period_start > s.after_month
),

rings as (
    {{ area_rings(ref('dim_area')) }}
),

-- the index has no grids: theirs is taken from their indicators, with its own rules of weight, coverage and grade
grid_weight as (
    select
        m.period_start,
        sum(cast(d.weight as decimal(9, 4))) as weight
    from months as m
    inner join (
        select
            weight,
            valid_from,
            coalesce(lead(valid_from) over (partition by code order by valid_from), date '9999-12-31') as valid_to
        from {{ ref('indicator_definition') }}
        where lowest_level = 'grid'
    ) as d on m.period_start >= d.valid_from and m.period_start < d.valid_to
    group by m.period_start
),

grid_sum as (
    select
        v.area_id,
        v.period_start,
        sum(case when v.score is not null then cast(d.weight as decimal(9, 4)) else 0 end) as ok_weight,
        sum(cast(d.weight as decimal(9, 4)) * cast(v.score as decimal(12, 4))) as weighted_score
    from {{ ref('indicator_score') }} as v
    cross join shown as s
    inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
    where
        v.area_level = 'grid' and v.dept_id = '*' and v.period_kind = 'month' and d.weight > 0
        and v.period_start > s.after_month
    group by v.area_id, v.period_start
),

grid_index as (
    select
        g.area_id,
        g.period_start,
        round(cast(g.weighted_score as double) / nullif(cast(g.ok_weight as double), 0), 4) as score,
        round(cast(g.ok_weight as double) / cast(w.weight as double), 4) as coverage
    from grid_sum as g
    inner join grid_weight as w on g.period_start = w.period_start
),

measured as (
    select
        area_id,
        period_start,
        'score' as measure,
        score as value
    from {{ ref('index_score') }}
    where
        node = 'overall' and dept_id = '*' and period_kind = 'month'
        and period_start in (select period_start from months)
    union all
    select
        i.area_id,
        i.period_start,
        'score' as measure,
        max(i.score) as value
    from grid_index as i
    inner join {{ ref('index_grade') }} as g on i.score >= g.min_score and i.coverage >= g.min_coverage
    group by i.area_id, i.period_start
    union all
    select
        v.area_id,
        v.period_start,
        'density' as measure,
        v.value
    from {{ ref('indicator_value') }} as v
    inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
    where
        d.numerator_measure = 'filed_count' and d.denominator_measure = 'area_km2_30d'
        and v.dept_id = '*' and v.period_kind = 'month' and v.period_start in (select period_start from months)
)

-- an area without a value is drawn too: an empty place on the map would look like no place at all
select
    p.area_level,
    p.level_no,
    {{ carried_pairs('p', ['level_name']) }},
    p.area_id,
    {{ carried_pairs('p', ['area_name']) }},
    p.district_id,
    {{ carried_pairs('p', ['district_name']) }},
    {{ month_text('m.period_start') }} as month,
    k.code as measure,
    {{ label_pair('measure_name', 'k', 'k.code') }},
    v.value,
    r.ring
from rings as r
inner join {{ ref('int_area_place') }} as p on r.area_id = p.area_id
inner join {{ ref('dim_area') }} as a on r.area_id = a.area_id and a.valid_to is null
cross join months as m
inner join {{ ref('code_label') }} as k on k.list = 'measure'
left join measured as v on r.area_id = v.area_id and m.period_start = v.period_start and k.code = v.measure
