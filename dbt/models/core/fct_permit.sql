with newest as (
    {{ latest(ref('int_permit_version'), ['source_system', 'permit_id'], column_names('permit', said=true)) }}
),

points as (
    select distinct lon, lat from newest
    where lon is not null and lat is not null
),

located as (
    {{ areas_of_points('points', ref('dim_area')) }}
)

select
    n.source_system || ':' || n.permit_id as permit_id,
    n.permit_type_code,
    n.source_permit_type,
    n.permit_type_mapping_method,
    n.applied_at,
    n.accepted_at,
    n.due_at,
    n.decided_at,
    n.decision_code,
    n.source_decision_code,
    n.valid_from,
    n.valid_to,
    n.dept_id,
    p.grid_id,
    coalesce(p.district_id, g.district_id) as district_id,
    n.source_district_code as source_district_name,
    n.lon,
    n.lat,
    n.source_system
from newest as n
left join located as p on n.lon = p.lon and n.lat = p.lat
left join {{ ref('dim_grid') }} as g on p.grid_id = g.grid_id
