{{ config(
    materialized='incremental', incremental_strategy='recompute', unique_key='day', on_schema_change='append_new_columns',
    upstream='fct_case', batch_by='day', pre_hook='select 1', post_hook='{{ record_position() }}'
) }}
{%- set keys = ['grid_id', 'community_id', 'street_id', 'district_id', 'city_id', 'dept_id'] %}
{%- set changes = only_changes() %}

with horizon as (
    {{ data_horizon() }}
),

{%- if changes %}
touched as (
    select distinct day from ({{ touched_days() }}) as days where day is not null
),
{%- endif %}

-- filed in the same grid with the same class not long before
filings as (
    select
        case_id,
        filing_day,
        lag(filing_day) over (partition by grid_id, class_id order by filing_at, case_id) as filing_day_before
    from (
        select
            case_id,
            grid_id,
            class_id,
            {{ filing_at() }} as filing_at,
            {{ local_day(filing_at()) }} as filing_day
        from {{ ref('fct_case') }}
        where is_filing_recorded and is_filed and grid_id is not null and class_id <> 'unmapped'
    ) as filed
    where
        filing_day is not null
        and {{ in_batch('filing_day', lower=add_days('filing_day', var('repeat_days'))) }}
        {%- if changes %}
        and filing_day >= (select {{ add_days('min(day)', '-' ~ var('repeat_days')) }} from touched)
        and filing_day <= (select max(day) from touched)
        {%- endif %}
),

timed as (
    select
        c.*,
        h.as_of,
        {{ filing_at() }} as filing_at,
        {{ handling_from() }} as handling_from,
        {{ opened_at() }} as opened_at,
        {{ ended_at() }} as ended_at
    from {{ ref('fct_case') }} as c
    cross join horizon as h
),

-- those with an event on a day that is counted now
cases as (
    select
        c.*,
        coalesce(
            {{ day_number('f.filing_day') }} - {{ day_number('f.filing_day_before') }}
            <= {{ var('repeat_days') }}, false
        ) as is_repeat
    from timed as c
    left join filings as f on c.case_id = f.case_id
    where {{ has_event_now('c', changes) }}
),

counted as (
    {{ counted_by_basis('cases', keys, changes) }}
)

select
    day,
    {{ keys | join(',\n    ') }},
    {{ measure_sums('bigint') }}
from counted
group by day, {{ keys | join(', ') }}
order by day
