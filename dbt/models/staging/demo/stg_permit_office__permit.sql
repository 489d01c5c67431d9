select
    cast('permit_office' as varchar) as source_system,
    cast(raw.permit_no as varchar) as permit_id,
    cast(raw.updated_at as timestamp) as version_at,
    cast(coalesce(permit_type.code, 'unmapped') as varchar) as permit_type_code,
    cast(raw.type_code as varchar) as source_permit_type,
    cast(coalesce(permit_type.mapping_method, 'unmapped') as varchar) as permit_type_mapping_method,
    cast(
        case when raw.decision is null then 'pending' else coalesce(decision.code, 'unmapped') end as varchar
    ) as decision_code,
    cast(raw.decision as varchar) as source_decision_code,
    cast(coalesce(department.code, 'unmapped') as varchar) as dept_id,
    cast(raw.district_code as varchar) as source_district_code,
    cast(raw.lon as double) as lon,
    cast(raw.lat as double) as lat,
    cast(raw.applied_at as timestamp) as applied_at,
    cast(raw.accepted_at as timestamp) as accepted_at,
    cast(raw.due_at as timestamp) as due_at,
    cast(raw.decided_at as timestamp) as decided_at,
    cast(raw.valid_from as date) as valid_from,
    cast(raw.valid_to as date) as valid_to,
    cast(raw._delivery_id as varchar) as _delivery_id,
    cast(raw._load_seq as bigint) as _load_seq,
    cast(raw._delivery_no as integer) as _delivery_no,
    cast(raw._source_row as bigint) as _source_row,
    cast(raw._is_deleted as boolean) as _is_deleted
from {{ source('raw', 'permit_application') }} as raw
left join {{ ref('map_permit_office__permit_type') }} as permit_type
    on raw.type_code = permit_type.source_code
left join {{ ref('map_permit_office__decision') }} as decision
    on raw.decision = decision.source_code
left join {{ ref('map_permit_office__department') }} as department
    on raw.dept_code = department.source_code
