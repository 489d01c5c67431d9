with newest as (
    {{ latest(
        ref('int_component_version'), ['source_system', 'component_id'], column_names('component', said=true),
        with_deleted=true
    ) }}
),

shaped as (
    select
        *,
        not is_key_deleted as is_current,
        {{ geo('x', [geo('inner_point', ['geometry'])]) }} as lon,
        {{ geo('y', [geo('inner_point', ['geometry'])]) }} as lat
    from newest
),

points as (
    select distinct lon, lat from shaped
    where lon is not null and lat is not null
),

located as (
    {{ areas_of_points('points', ref('dim_area')) }}
),

levels as (
    {{ levels_with_shapes(ref('dim_area')) }}
),

district_names as (
    select name, min(area_id) as area_id
    from (
        select area_id as name, area_id from {{ ref('dim_area') }} where area_level = 'district'
        union all
        select area_name_zh, area_id from {{ ref('dim_area') }} where area_level = 'district'
        union all
        select area_name_en, area_id from {{ ref('dim_area') }} where area_level = 'district'
    ) as named
    where name is not null
    group by name
),

placed as (
    select
        c.*,
        d.area_id as source_district_id,
        l.has_grid,
        case when l.has_grid and c.lon is not null then p.grid_id else g.grid_id end as grid_id,
        case
            when l.has_district and c.lon is not null then p.district_id
            else coalesce(pg.district_id, g.district_id)
        end as district_id
    from shaped as c
    cross join levels as l
    left join located as p on c.lon = p.lon and c.lat = p.lat
    left join {{ ref('dim_grid') }} as pg on p.grid_id = pg.grid_id
    left join {{ ref('dim_grid') }} as g on c.source_grid_id = g.grid_id and (c.lon is null or not l.has_grid)
    left join district_names as d on c.source_district_code = d.name
)

select
    source_system || ':' || component_id as component_id,
    class_code,
    'component' as class_kind,
    class_edition,
    source_class_code,
    class_mapping_method as mapping_method,
    component_name,
    grid_id,
    district_id,
    source_district_code as source_area_name,
    case
        when lon is not null and (source_district_id is not null or source_grid_id is not null)
            then coalesce(source_district_id is not null and source_district_id is distinct from district_id, false)
                or coalesce(source_grid_id is not null and has_grid and source_grid_id is distinct from grid_id, false)
    end as is_area_disagreeing,
    status_code,
    source_status_code,
    owner_dept_id,
    lon,
    lat,
    case when geometry is not null then {{ geo('to_wkb', ['geometry']) }} end as geometry,
    surveyed_date,
    is_current,
    source_system
from placed
