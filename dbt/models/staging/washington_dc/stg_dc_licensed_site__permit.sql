-- A site in one of these layers holds its licence. Districts of inspectors are no permits (mapping method none).
select
    cast('dc_permit' as varchar) as source_system,
    cast(r.layer || ':' || r.license_no as varchar) as permit_id,
    cast(r.snapshot_date as timestamp) as version_at,
    cast(coalesce(t.code, 'unmapped') as varchar) as permit_type_code,
    cast(r.layer as varchar) as source_permit_type,
    cast(coalesce(t.mapping_method, 'unmapped') as varchar) as permit_type_mapping_method,
    cast('granted' as varchar) as decision_code,
    cast(null as varchar) as source_decision_code,
    cast(d.code as varchar) as dept_id,
    cast(r.ward as varchar) as source_district_code,
    cast({{ geo('x', ['r.geometry']) }} as double) as lon,
    cast({{ geo('y', ['r.geometry']) }} as double) as lat,
    cast(null as timestamp) as applied_at,
    cast(null as timestamp) as accepted_at,
    cast(null as timestamp) as due_at,
    cast(r.issued_on as timestamp) as decided_at,
    cast(r.issued_on as date) as valid_from,
    cast(r.expires_on as date) as valid_to,
    r._delivery_id,
    r._load_seq,
    r._delivery_no,
    r._source_row,
    r._is_deleted
from {{ source('raw', 'dc_licensed_site') }} as r
left join {{ ref('map_dc_permit__permit_type') }} as t on r.layer = t.source_code
left join {{ ref('map_dc_permit__department') }} as d on r.layer = d.source_code
where coalesce(t.mapping_method, 'unmapped') <> 'none'
