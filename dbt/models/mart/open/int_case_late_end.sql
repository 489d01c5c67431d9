-- only the days of which the cube knows such an end are looked through
with late_end as (
    select distinct d.day
    from {{ ref('int_case_day') }} as d
    cross join {{ ref('mart_state') }} as s
    where d.ended_count <> 0 and d.day > {{ local_day('s.as_of') }}
),

ending as (
    select
        c.*,
        {{ opened_at() }} as opened_at,
        {{ ended_at() }} as ended_at
    from {{ ref('fct_case') }} as c
    inner join late_end as l on {{ local_day('c.closed_at') }} = l.day
    where c.is_filed and not c.is_cancelled and {{ is_stock_recorded() }}
)

{{ labelled_cases('ending', carried=['opened_at', 'ended_at']) }}
