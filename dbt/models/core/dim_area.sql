with versions as (
    -- a boundary in force before one that has ended, where one delivery holds both
    {{ latest(
        ref('int_area_version'), ['area_level', 'area_id'], column_names('area', said=true),
        prefer='valid_to desc nulls first'
    ) }}
),

-- a lake holds one city; a source that draws no city boundary still needs its name to hang the districts on
delivered as (
    select
        v.area_id,
        v.area_level,
        l.level_no,
        v.area_name_zh,
        v.area_name_en,
        v.parent_area_id,
        v.valid_from,
        v.valid_to,
        case when v.geometry is not null then {{ geo('valid', ['v.geometry']) }} end as shape
    from versions as v
    inner join {{ ref('area_level') }} as l on v.area_level = l.code
    union all
    select
        '{{ env_var("GRIDLAKE_CITY", "demo") }}' as area_id,
        'city' as area_level,
        1 as level_no,
        cast(null as {{ column_type('text') }}) as area_name_zh,
        cast(null as {{ column_type('text') }}) as area_name_en,
        cast(null as {{ column_type('text') }}) as parent_area_id,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to,
        cast(null as {{ column_type('geometry') }}) as shape
    where not exists (select 1 from versions where area_level = 'city')
),

-- the next level up that the city has at all
upper_level as (
    select
        child.level_no,
        max(parent.level_no) as parent_level_no
    from (select distinct level_no from delivered) as child
    inner join (select distinct level_no from delivered) as parent on child.level_no > parent.level_no
    group by child.level_no
),

overlapping as (
    select
        child.area_id,
        child.area_level,
        parent.area_id as parent_area_id,
        row_number() over (
            partition by child.area_level, child.area_id
            order by {{ geo('shared_area', ['child.shape', 'parent.shape']) }} desc, parent.area_id
        ) as overlap_rank
    from (select * from delivered where parent_area_id is null and shape is not null) as child
    inner join upper_level as u on child.level_no = u.level_no
    inner join (select * from delivered where shape is not null and valid_to is null) as parent
        on
            u.parent_level_no = parent.level_no
            and {{ geo('intersects', ['child.shape', 'parent.shape']) }}
    where u.parent_level_no > 1
),

-- the city above everything needs no overlay
only_city as (
    select min(area_id) as area_id from delivered where area_level = 'city' and valid_to is null
)

select
    d.area_id,
    d.area_level,
    d.area_name_zh,
    d.area_name_en,
    coalesce(d.parent_area_id, o.parent_area_id, case when u.parent_level_no = 1 then c.area_id end) as parent_area_id,
    case when d.shape is not null then {{ geo('to_wkb', ['d.shape']) }} end as geometry,
    coalesce(
        {{ geo('km2', ['d.shape']) }},
        case
            when d.area_level = 'city'
                then (
                    select sum({{ geo('km2', ['p.shape']) }})
                    from delivered as p
                    where p.area_level = 'district' and p.valid_to is null
                )
        end
    ) as area_km2,
    d.valid_from,
    d.valid_to
from delivered as d
left join upper_level as u on d.level_no = u.level_no
left join overlapping as o on d.area_level = o.area_level and d.area_id = o.area_id and o.overlap_rank = 1
cross join only_city as c
