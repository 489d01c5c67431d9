select
    cast('patrol_yunhe' as varchar) as source_system,
    cast(raw.case_no as varchar) as source_case_id,
    cast('' as varchar) as layer,
    cast(raw.updated_at as timestamp) as version_at,
    cast(class.edition as varchar) as class_edition,
    cast(class.kind as varchar) as class_kind,
    cast(coalesce(class.code, 'unmapped') as varchar) as class_code,
    cast(raw.class_code as varchar) as source_class_code,
    cast(raw.class_name as varchar) as source_class_name,
    cast(coalesce(class.mapping_method, 'unmapped') as varchar) as class_mapping_method,
    cast(coalesce(channel.code, 'unmapped') as varchar) as channel_code,
    cast(raw.channel as varchar) as source_channel_code,
    cast(coalesce(status.code, 'unmapped') as varchar) as status_code,
    cast(raw.status as varchar) as source_status_code,
    cast(coalesce(status.mapping_method, 'unmapped') as varchar) as status_mapping_method,
    cast(case when raw.is_urgent then 'urgent' else 'normal' end as varchar) as urgency_code,
    cast(case when raw.unit_code is not null then coalesce(department.code, 'unmapped') end as varchar) as dept_id,
    cast(raw.unit_code as varchar) as source_dept_code,
    cast(raw.grid_code as varchar) as source_grid_id,
    cast('990102' as varchar) as source_district_code,
    cast(raw.lon as double) as lon,
    cast(raw.lat as double) as lat,
    cast(raw.reported_at as timestamp) as reported_at,
    cast(raw.filed_at as timestamp) as filed_at,
    cast(raw.dispatched_at as timestamp) as dispatched_at,
    cast(raw.handled_at as timestamp) as handled_at,
    cast(raw.checked_at as timestamp) as checked_at,
    cast(raw.closed_at as timestamp) as closed_at,
    cast(raw.file_due_at as timestamp) as file_due_at,
    cast(raw.dispatch_due_at as timestamp) as dispatch_due_at,
    cast(raw.handle_due_at as timestamp) as handle_due_at,
    cast(raw.close_due_at as timestamp) as close_due_at,
    cast(false as boolean) as is_public_report,
    cast(raw.is_supervised as boolean) as is_supervised,
    cast(coalesce(status.code = 'cancelled', false) as boolean) as is_cancelled,
    cast(raw.rework_count as integer) as rework_count,
    cast(raw.return_count as integer) as return_count,
    cast(raw._delivery_id as varchar) as _delivery_id,
    cast(raw._load_seq as bigint) as _load_seq,
    cast(raw._delivery_no as integer) as _delivery_no,
    cast(raw._source_row as bigint) as _source_row,
    cast(raw._is_deleted as boolean) as _is_deleted
from {{ source('raw', 'patrol_case_yunhe') }} as raw
left join {{ ref('map_patrol_yunhe__class') }} as class
    on raw.class_code = class.source_code
left join {{ ref('map_patrol_yunhe__channel') }} as channel
    on raw.channel = channel.source_code
left join {{ ref('map_patrol_yunhe__status') }} as status
    on raw.status = status.source_code
left join {{ ref('map_patrol_yunhe__department') }} as department
    on raw.unit_code = department.source_code
