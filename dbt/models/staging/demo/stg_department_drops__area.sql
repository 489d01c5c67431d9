select
    cast('department_drops' as varchar) as source_system,
    cast(raw.area_level as varchar) as area_level,
    cast(raw.area_code as varchar) as area_id,
    cast(raw.parent_code as varchar) as parent_area_id,
    cast(raw.name_zh as varchar) as area_name_zh,
    cast(raw.name_en as varchar) as area_name_en,
    cast(raw.start_date as timestamp) as version_at,
    cast(raw.geometry as geometry) as geometry,
    cast(raw.start_date as date) as valid_from,
    cast(null as date) as valid_to,
    cast(raw._delivery_id as varchar) as _delivery_id,
    cast(raw._load_seq as bigint) as _load_seq,
    cast(raw._delivery_no as integer) as _delivery_no,
    cast(raw._source_row as bigint) as _source_row,
    cast(raw._is_deleted as boolean) as _is_deleted
from {{ source('raw', 'area_boundary') }} as raw
