-- The source names an upper area for single-member districts only; core finds the others by place.
select
    cast('dc_boundary' as varchar) as source_system,
    cast(l.area_level as varchar) as area_level,
    cast(r.area_code as varchar) as area_id,
    cast(nullif(r.commission_id, r.area_code) as varchar) as parent_area_id,
    cast(replace(l.name_zh_template, '{code}', r.area_code) as varchar) as area_name_zh,
    cast(r.area_name as varchar) as area_name_en,
    cast(r.snapshot_date as timestamp) as version_at,
    r.geometry,
    cast(l.valid_from as date) as valid_from,
    cast(l.valid_to as date) as valid_to,
    r._delivery_id,
    r._load_seq,
    r._delivery_no,
    r._source_row,
    r._is_deleted
from {{ source('raw', 'dc_area_boundary') }} as r
inner join {{ ref('dc_boundary__area_layer') }} as l on r.layer = l.layer
