-- The stock follows from flows; here it is counted directly at the horizon.
with horizon as (
    {{ data_horizon() }}
),

counted as (
    select count(*) as open_count
    from {{ ref('fct_case') }} as c
    cross join horizon as h
    left join {{ ref('case_status') }} as s on c.status_code = s.code
    where
        c.is_filed and not c.is_cancelled and c.is_filing_recorded and c.is_closing_recorded
        and {{ local_day('coalesce(c.filed_at, c.reported_at)') }} <= {{ local_day('h.as_of') }}
        and (
            {{ local_day('c.closed_at') }} > {{ local_day('h.as_of') }}
            or (
                c.closed_at is null
                and not coalesce(s.is_terminal, false)
            )
        )
),

shown as (
    select max(v.value) as open_count
    from {{ ref('indicator_value') }} as v
    inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
    cross join horizon as h
    where
        d.numerator_measure = 'open_count' and d.denominator_measure is null
        and v.area_level = 'city' and v.dept_id = '*' and v.period_kind = 'month'
        and v.period_start = {{ month_start('h.as_of') }}
)

select
    counted.open_count,
    shown.open_count as shown_count
from counted
cross join shown
where coalesce(shown.open_count, 0) <> counted.open_count
