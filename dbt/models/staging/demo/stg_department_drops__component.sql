select
    cast('department_drops' as varchar) as source_system,
    cast(raw.component_id as varchar) as component_id,
    cast('' as varchar) as layer,
    cast(coalesce(raw.changed_date, raw.surveyed_date) as timestamp) as version_at,
    cast(class.edition as varchar) as class_edition,
    cast(coalesce(class.code, 'unmapped') as varchar) as class_code,
    cast(raw.class_code as varchar) as source_class_code,
    cast(coalesce(class.mapping_method, 'unmapped') as varchar) as class_mapping_method,
    cast(raw.component_name as varchar) as component_name,
    cast(raw.grid_code as varchar) as source_grid_id,
    cast(substring(raw.component_id, 1, 6) as varchar) as source_district_code,
    cast(coalesce(status.code, 'unmapped') as varchar) as status_code,
    cast(raw.status as varchar) as source_status_code,
    cast(raw.dept_code as varchar) as owner_dept_id,
    cast(raw.geometry as geometry) as geometry,
    cast(raw.surveyed_date as date) as surveyed_date,
    cast(raw._delivery_id as varchar) as _delivery_id,
    cast(raw._load_seq as bigint) as _load_seq,
    cast(raw._delivery_no as integer) as _delivery_no,
    cast(raw._source_row as bigint) as _source_row,
    cast(raw._is_deleted as boolean) as _is_deleted
from {{ source('raw', 'component_census') }} as raw
left join {{ ref('map_department_drops__class') }} as class
    on raw.class_code = class.source_code
left join {{ ref('map_department_drops__status') }} as status
    on raw.status = status.source_code
