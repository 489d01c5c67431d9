{{ config(
    materialized='incremental', incremental_strategy='recompute', unique_key='case_id', on_schema_change='append_new_columns',
    upstream='fct_case_report', pre_hook='select 1', post_hook='{{ record_position() }}'
) }}

with reports as (
    select
        *,
        -- the newest state speaks for the case; among equally new ones a located one, then the lowest report id
        row_number() over (
            partition by case_id
            order by snapshot desc nulls last, has_valid_location desc, report_id
        ) as report_rank,
        count(*) over (partition by case_id) as report_count
    from {{ ref('fct_case_report') }}
    {%- if only_changes() %}
    where case_id in ({{ touched_keys('fct_case_report') }})
    {%- endif %}
),

-- what a system does not record is unknown in its cases: an empty time there does not say that nothing happened
recorded as (
    {{ recorded_since(case_records()) }}
),

city as (
    select min(area_id) as city_id from {{ ref('dim_area') }} where area_level = 'city'
)

select
    r.case_id,
    r.source_system,
    coalesce(r.channel_code, 'unmapped') as channel_code,
    r.source_channel_code,
    coalesce(k.class_id, 'unmapped') as class_id,
    r.class_code,
    r.source_class_code,
    r.class_mapping_method,
    case
        when {{ is_recorded('urgency', 'o', 'r.reported_at') }} then coalesce(r.urgency_code, 'normal')
    end as urgency_code,
    coalesce(r.status_code, 'unmapped') as status_code,
    r.source_status_code,
    r.dept_id,
    r.source_dept_code,
    r.grid_id,
    r.community_id,
    r.street_id,
    r.district_id,
    c.city_id,
    r.lon,
    r.lat,
    r.reported_at,
    r.filed_at,
    r.dispatched_at,
    r.handled_at,
    r.checked_at,
    r.closed_at,
    r.file_due_at,
    r.dispatch_due_at,
    r.handle_due_at,
    r.close_due_at,
    case
        when {{ is_recorded('filing', 'o', 'r.reported_at') }}
            then r.filed_at is not null or coalesce(s.is_filed, false)
    end as is_filed,
    coalesce(r.is_public_report, h.is_public, false) as is_public_report,
    case
        when {{ is_recorded('supervision', 'o', 'r.reported_at') }} then coalesce(r.is_supervised, false)
    end as is_supervised,
    coalesce(r.is_cancelled, false) or coalesce(r.status_code = 'cancelled', false) as is_cancelled,
    -- empty where the source keeps no count: silence must not score as perfection
    r.rework_count,
    r.return_count,
    cast(r.report_count as integer) as report_count,
    r.has_valid_location,
    r.is_area_disagreeing,
    r.snapshot as updated_at,
    {%- for record in case_records() %}
    {{ is_recorded(record, 'o', 'r.reported_at') }} as is_{{ record }}_recorded{{ ',' if not loop.last }}
    {%- endfor %}
from reports as r
cross join city as c
left join recorded as o on r.source_system = o.source_system
left join {{ ref('case_status') }} as s on r.status_code = s.code
left join {{ ref('case_channel') }} as h on r.channel_code = h.code
left join {{ ref('dim_class') }} as k
    on r.class_edition || ':' || r.class_kind || ':' || r.class_code = k.class_id
where r.report_rank = 1
-- a span of time lies together in the files, so that whoever reads a month reads no more
order by r.reported_at
