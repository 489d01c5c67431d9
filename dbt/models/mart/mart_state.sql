{#- A table and not a view: nearly every mart asks the horizon, and each would look through all cases for it. -#}
{{ config(materialized='table') }}

with horizon as (
    {{ data_horizon() }}
),

first_case as (
    select min(reported_at) as reported_at from {{ ref('fct_case') }}
),

city as (
    select min(area_id) as area_id from {{ ref('dim_area') }}
    where area_level = 'city' and valid_to is null
)

select
    '{{ env_var("GRIDLAKE_CITY", "demo") }}' as city,
    c.area_id as city_id,
    n.name_zh as city_name_zh,
    n.name_en as city_name_en,
    h.as_of,
    {{ month_or_unknown('f.reported_at') }} as first_month,
    {{ month_or_unknown('h.as_of') }} as newest_month,
    {{ month_or_unknown(add_days(month_start('h.as_of'), -1)) }} as newest_full_month
from horizon as h
cross join first_case as f
cross join city as c
left join {{ ref('int_area_name') }} as n on c.area_id = n.area_id
