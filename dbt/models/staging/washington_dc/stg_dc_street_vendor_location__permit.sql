-- The status is a number without a list; the seed says how each was read.
select
    cast('dc_permit' as varchar) as source_system,
    cast('street-vendor-locations:' || r.location_id as varchar) as permit_id,
    cast(r.snapshot_date as timestamp) as version_at,
    cast(coalesce(t.code, 'unmapped') as varchar) as permit_type_code,
    cast('street-vendor-locations' as varchar) as source_permit_type,
    cast(coalesce(t.mapping_method, 'unmapped') as varchar) as permit_type_mapping_method,
    cast(coalesce(x.code, 'unmapped') as varchar) as decision_code,
    cast(r.status as varchar) as source_decision_code,
    cast(d.code as varchar) as dept_id,
    cast(null as varchar) as source_district_code,
    cast({{ geo('x', ['r.geometry']) }} as double) as lon,
    cast({{ geo('y', ['r.geometry']) }} as double) as lat,
    cast(r.applied_at as timestamp) as applied_at,
    cast(null as timestamp) as accepted_at,
    cast(null as timestamp) as due_at,
    cast(coalesce(r.revoked_at, r.inspected_at) as timestamp) as decided_at,
    cast(null as date) as valid_from,
    cast(r.revoked_at as date) as valid_to,
    r._delivery_id,
    r._load_seq,
    r._delivery_no,
    r._source_row,
    r._is_deleted
from {{ source('raw', 'dc_street_vendor_location') }} as r
left join {{ ref('map_dc_permit__permit_type') }} as t on 'street-vendor-locations' = t.source_code
left join {{ ref('map_dc_permit__department') }} as d on 'street-vendor-locations' = d.source_code
left join {{ ref('map_dc_permit__decision') }} as x on 'vendor_location:' || r.status = x.source_code
