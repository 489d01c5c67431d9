with standing as (
    select
        *,
        case
            when class_code = 'unmapped' then 'unmapped'
            else class_edition || ':' || class_kind || ':' || class_code
        end as class_id,
        coalesce(status_code, 'unknown') as state
    from {{ ref('dim_component') }}
    where is_current
)

select
    c.component_id,
    c.class_id,
    coalesce(class.name_zh, c.class_code) as class_name_zh,
    coalesce(class.name_en, c.class_code) as class_name_en,
    class.large_class_name_zh,
    class.large_class_name_en,
    c.component_name,
    c.state as status_code,
    {{ label_pair('status_name', 'status', 'c.state') }},
    status.is_intact,
    c.grid_id,
    c.district_id,
    {{ label_pair('district_name', 'district', 'c.district_id') }},
    coalesce(c.owner_dept_id, 'unassigned') as dept_id,
    {{ label_pair('owner_dept_name', 'department', "coalesce(c.owner_dept_id, 'unassigned')") }},
    c.lon,
    c.lat,
    c.surveyed_date,
    c.source_system
from standing as c
left join {{ ref('int_class_name') }} as class on c.class_id = class.class_id
left join {{ ref('component_status') }} as status on c.state = status.code
left join {{ ref('int_area_name') }} as district on coalesce(c.district_id, 'none:district') = district.area_id
left join {{ ref('int_department_name') }} as department on coalesce(c.owner_dept_id, 'unassigned') = department.dept_id
