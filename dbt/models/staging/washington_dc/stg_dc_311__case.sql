-- The Z after the source's times is wrong: they are Washington local times and stay as they are written.
-- A request that stands in two layers is two reports of one case, hence the layer is kept.
select
    cast('dc_311' as varchar) as source_system,
    cast(r.service_request_id as varchar) as source_case_id,
    cast(coalesce(l.code, r.layer) as varchar) as layer,
    cast(r.snapshot_date as timestamp) as version_at,
    cast(c.edition as varchar) as class_edition,
    cast(c.kind as varchar) as class_kind,
    cast(coalesce(c.code, 'unmapped') as varchar) as class_code,
    cast(r.service_code as varchar) as source_class_code,
    cast(r.service_name as varchar) as source_class_name,
    cast(coalesce(c.mapping_method, 'unmapped') as varchar) as class_mapping_method,
    -- The layers do not tell how a request came in; all of them are the public's.
    cast('public' as varchar) as channel_code,
    cast(null as varchar) as source_channel_code,
    cast(coalesce(s.code, 'unmapped') as varchar) as status_code,
    cast(r.order_status as varchar) as source_status_code,
    cast(coalesce(s.mapping_method, 'unmapped') as varchar) as status_mapping_method,
    cast(coalesce(u.code, 'normal') as varchar) as urgency_code,
    cast(coalesce(d.code, 'unmapped') as varchar) as dept_id,
    cast(r.organization_code as varchar) as source_dept_code,
    cast(null as varchar) as source_grid_id,
    cast(r.ward as varchar) as source_district_code,
    cast({{ geo('x', ['r.geometry']) }} as double) as lon,
    cast({{ geo('y', ['r.geometry']) }} as double) as lat,
    cast(r.reported_at as timestamp) as reported_at,
    cast(r.ordered_at as timestamp) as filed_at,
    cast(null as timestamp) as dispatched_at,
    cast(r.resolved_at as timestamp) as handled_at,
    cast(null as timestamp) as checked_at,
    cast(r.resolved_at as timestamp) as closed_at,
    cast(null as timestamp) as file_due_at,
    cast(null as timestamp) as dispatch_due_at,
    cast(r.due_at as timestamp) as handle_due_at,
    cast(r.due_at as timestamp) as close_due_at,
    true as is_public_report,
    false as is_supervised,
    coalesce(s.code = 'cancelled', false) as is_cancelled,
    cast(null as integer) as rework_count,
    cast(null as integer) as return_count,
    r._delivery_id,
    r._load_seq,
    r._delivery_no,
    r._source_row,
    r._is_deleted
from {{ source('raw', 'dc_service_request') }} as r
left join {{ ref('map_dc_311__layer') }} as l on r.layer = l.source_code
left join {{ ref('map_dc_311__class') }} as c on r.service_code = c.source_code
left join {{ ref('map_dc_311__status') }} as s on r.order_status = s.source_code
left join {{ ref('map_dc_311__urgency') }} as u on r.priority = u.source_code
left join {{ ref('map_dc_311__department') }} as d on r.organization_code = d.source_code
