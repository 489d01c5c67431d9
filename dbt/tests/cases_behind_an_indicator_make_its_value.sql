-- The cases listed behind an indicator add up to what the indicator says of the city, in the two newest months. Not known per case:
-- the numerator of the repeat rate, the area in the denominator of the density. The list of mart_indicator_case is made here without
-- its labels, whose joins would be planned once for each indicator. It depends on {{ ref('mart_indicator_case') }} being there, and
-- on {{ ref('area_level') }} and {{ ref('indicator_not_recorded') }}.
{%- set since = first_of_newest_months(2) %}
{%- set cases %}
(select c.*, {{ month_or_unknown('c.reported_at') }} as month, {{ event_months('c') }} from {{ ref('fct_case') }} as c)
{%- endset %}
with open_case as (
    select case_id, opened_at, close_due_at, age_days from {{ ref('mart_case_open') }}
),

listed as (
    select
        indicator_code,
        month,
        sum(numerator_amount) as numerator,
        sum(denominator_amount) as denominator,
        count(*) as case_count
    from ({{ indicator_cases(cases, 'open_case', ['case_id'], since) }}) as behind
    group by indicator_code, month
),

shown as (
    select
        v.indicator_code,
        {{ month_text('v.period_start') }} as month,
        v.numerator,
        v.denominator,
        d.numerator_measure,
        d.denominator_measure
    from {{ ref('indicator_value') }} as v
    inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
    cross join {{ ref('mart_state') }} as s
    where
        v.area_level = 'city' and v.dept_id = '*' and v.period_kind = 'month' and v.period_start >= {{ since }}
        and (not {{ is_stock() }} or v.period_start = {{ month_start('s.as_of') }})
)

select
    coalesce(s.indicator_code, l.indicator_code) as indicator_code,
    coalesce(s.month, l.month) as month,
    s.numerator,
    l.numerator as listed_numerator,
    s.denominator,
    l.denominator as listed_denominator
from shown as s
full outer join listed as l on s.indicator_code = l.indicator_code and s.month = l.month
where
    s.indicator_code is null
    or (s.numerator_measure <> 'repeat_count' and coalesce(l.numerator, 0) <> s.numerator)
    or (s.denominator_measure <> 'area_km2_30d' and coalesce(l.denominator, 0) <> s.denominator)
    or (s.denominator_measure is null and coalesce(l.numerator, 0) <> s.numerator)
