-- whole years around the data; a year no city could have typed on purpose is left out
with days as (
    select {{ local_day('reported_at') }} as day from {{ ref('fct_case') }}
    union
    select {{ local_day('closed_at') }} from {{ ref('fct_case') }}
    union
    select {{ local_day('close_due_at') }} from {{ ref('fct_case') }}
    union
    select {{ local_day('applied_at') }} from {{ ref('fct_permit') }}
    union
    select {{ local_day('decided_at') }} from {{ ref('fct_permit') }}
),

bounds as (
    select
        cast(date_trunc('year', min(day)) as date) as first_day,
        {{ add_days("cast(date_trunc('year', max(day)) + interval 1 year as date)", -1) }} as last_day
    from days
    where day between date '1990-01-01' and date '2099-12-31'
),

spine as (
    {{ day_spine('first_day', 'last_day', 'bounds') }}
)

select
    day as date_day,
    cast(extract(year from day) as integer) as year,
    cast(extract(quarter from day) as integer) as quarter,
    cast(extract(month from day) as integer) as month,
    {{ month_start('day') }} as month_start_date,
    {{ iso_year('day') }} as iso_year,
    cast(extract(week from day) as integer) as iso_week,
    {{ iso_weekday('day') }} as iso_weekday,
    {{ iso_weekday('day') }} >= 6 as is_weekend
from spine
