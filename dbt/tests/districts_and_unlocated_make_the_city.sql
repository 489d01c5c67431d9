-- Sums over the cube, made here a second way: located in a district, and in none. Districts show the first, the city both.
-- What no source records has no figure to compare; in a district that knows nothing of it there is nothing to sum.
with measured as (
    {{ located_and_not() }}
),

shown as (
    select
        v.indicator_code,
        v.period_start,
        d.numerator_measure,
        d.denominator_measure,
        sum(case when v.area_level = 'district' then v.numerator else 0 end) as district_numerator,
        sum(case when v.area_level = 'city' then v.numerator else 0 end) as city_numerator,
        sum(case when v.area_level = 'district' then v.denominator else 0 end) as district_denominator,
        sum(case when v.area_level = 'city' then v.denominator else 0 end) as city_denominator
    from {{ ref('indicator_value') }} as v
    inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
    where v.dept_id = '*' and v.period_kind = 'month' and v.area_level in ('district', 'city')
    group by v.indicator_code, v.period_start, d.numerator_measure, d.denominator_measure
    having max(case when v.area_level = 'city' and v.is_recorded then 1 else 0 end) = 1
)

select
    s.*,
    n.located,
    n.unlocated
from shown as s
left join measured as n on s.numerator_measure = n.measure and s.period_start = n.period_start
left join measured as d on s.denominator_measure = d.measure and s.period_start = d.period_start
where
    s.district_numerator <> n.located
    or s.city_numerator <> n.located + n.unlocated
    or s.district_denominator <> d.located
    or s.city_denominator <> d.located + d.unlocated
