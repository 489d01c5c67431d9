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
),

-- an owner of the whole city has units in the districts: the one below it that handles most of a district's cases looks after
-- the owner's components there
unit_of_district as (
    select
        u.parent_dept_id as owner_dept_id,
        f.district_id,
        f.dept_id,
        row_number() over (
            partition by u.parent_dept_id, f.district_id order by count(*) desc, f.dept_id
        ) as choice
    from {{ ref('fct_case') }} as f
    inner join {{ ref('dim_department') }} as u on f.dept_id = u.dept_id
    where u.parent_dept_id is not null and f.district_id is not null
    group by u.parent_dept_id, f.district_id, f.dept_id
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
    coalesce(k.dept_id, c.owner_dept_id, 'unassigned') as dept_id,
    {{ label_pair('owner_dept_name', 'department', "coalesce(c.owner_dept_id, 'unclear')") }},
    c.lon,
    c.lat,
    c.surveyed_date,
    c.source_system
from standing as c
left join {{ ref('int_class_name') }} as class on c.class_id = class.class_id
left join unit_of_district as k
    on c.owner_dept_id = k.owner_dept_id and c.district_id = k.district_id and k.choice = 1
left join {{ ref('component_status') }} as status on c.state = status.code
left join {{ ref('int_area_name') }} as district on coalesce(c.district_id, 'none:district') = district.area_id
left join {{ ref('int_department_name') }} as department on coalesce(c.owner_dept_id, 'unclear') = department.dept_id
