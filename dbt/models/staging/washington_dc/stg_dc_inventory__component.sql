-- Which field tells the features of a layer apart is data (seed dc_inventory__component_key); a feature whose field is empty
-- is known by its shape.
select
    cast('dc_inventory' as varchar) as source_system,
    cast(
        r.layer || ':' || coalesce(
            case k.key_field
                when 'object_id' then r.object_id
                when 'feature_no' then r.feature_no
                when 'record_id' then r.record_id
                when 'gis_id' then r.gis_id
                when 'address_id' then cast(r.address_id as varchar)
                when 'component_name' then r.component_name
                when 'rounded_geometry' then {{ geometry_key('r.geometry', is_rounded=true) }}
            end,
            {{ geometry_key('r.geometry') }}
        ) as varchar
    ) as component_id,
    cast(r.layer as varchar) as layer,
    cast(r.snapshot_date as timestamp) as version_at,
    cast(c.edition as varchar) as class_edition,
    cast(coalesce(c.code, 'unmapped') as varchar) as class_code,
    cast(r.layer as varchar) as source_class_code,
    cast(coalesce(c.mapping_method, 'unmapped') as varchar) as class_mapping_method,
    cast(r.component_name as varchar) as component_name,
    cast(null as varchar) as source_grid_id,
    cast(r.ward as varchar) as source_district_code,
    -- A layer without a status says nothing about the state of its features.
    cast(
        case
            when r.status is null or s.mapping_method = 'none' then null
            else coalesce(s.code, 'unmapped')
        end as varchar
    ) as status_code,
    cast(r.status as varchar) as source_status_code,
    cast(d.code as varchar) as owner_dept_id,
    r.geometry,
    cast(r.captured_at as date) as surveyed_date,
    r._delivery_id,
    r._load_seq,
    r._delivery_no,
    r._source_row,
    r._is_deleted
from {{ source('raw', 'dc_component') }} as r
left join {{ ref('dc_inventory__component_key') }} as k on r.layer = k.layer
left join {{ ref('map_dc_inventory__class') }} as c on r.layer = c.source_code
left join {{ ref('map_dc_inventory__status') }} as s on r.layer || ':' || r.status = s.source_code
left join {{ ref('map_dc_inventory__department') }} as d on r.layer = d.source_code
