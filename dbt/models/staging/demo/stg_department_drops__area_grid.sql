select
    cast('department_drops' as varchar) as source_system,
    cast('grid' as varchar) as area_level,
    cast(raw.grid_code as varchar) as area_id,
    cast(raw.community_code as varchar) as parent_area_id,
    cast(raw.grid_name as varchar) as area_name_zh,
    cast('Grid ' || raw.grid_code as varchar) as area_name_en,
    cast(coalesce(raw.end_date, raw.start_date) as timestamp) as version_at,
    cast(raw.geometry as geometry) as geometry,
    cast(raw.start_date as date) as valid_from,
    cast(raw.end_date as date) as valid_to,
    cast(raw._delivery_id as varchar) as _delivery_id,
    cast(raw._load_seq as bigint) as _load_seq,
    cast(raw._delivery_no as integer) as _delivery_no,
    cast(raw._source_row as bigint) as _source_row,
    cast(raw._is_deleted as boolean) as _is_deleted
from {{ source('raw', 'unit_grid') }} as raw
