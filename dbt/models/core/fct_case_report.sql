{{ config(
    materialized='incremental', incremental_strategy='recompute', unique_key='report_id', on_schema_change='append_new_columns',
    pre_hook='select 1', post_hook='{{ record_position() }}'
) }}
{%- set versions = 'scoped' if only_changes() else ref('int_case_version') %}
{%- set carried = column_names('case', said=true) | reject('in', ['source_system', 'source_case_id', 'layer']) | list %}

with
{%- if only_changes() %}
-- all versions of the reports that a newer load touched: which one wins does not depend on which came last
scoped as (
    select * from {{ ref('int_case_version') }}
    where
        (source_system, source_case_id, coalesce(layer, '')) in (
            select row(source_system, source_case_id, coalesce(layer, '')) from {{ ref('int_case_version') }}
            where _load_seq > {{ processed_seq() }}
        )
),
{%- endif %}

newest as (
    {{ latest(versions, ['report_id'], ['report_id', 'case_id', 'source_system', 'layer'] + carried) }}
),

points as (
    select distinct lon, lat from newest
    where lon is not null and lat is not null
),

located as (
    {{ areas_of_points('points', ref('dim_area')) }}
),

levels as (
    {{ levels_with_shapes(ref('dim_area')) }}
),

-- sources write a district as a code or as a name
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

-- a level with polygons is read off the position; a level without follows from the grid
placed as (
    select
        n.*,
        d.area_id as source_district_id,
        n.lon is not null and n.lat is not null as has_point,
        case when l.has_grid and n.lon is not null and n.lat is not null then p.grid_id else g.grid_id end as grid_id,
        {%- for level in ['community', 'street', 'district'] %}
        case
            when l.has_{{ level }} and n.lon is not null and n.lat is not null then p.{{ level }}_id
            else coalesce(pg.{{ level }}_id, g.{{ level }}_id)
        end as {{ level }}_id,
        {%- endfor %}
        l.has_grid
    from newest as n
    cross join levels as l
    left join located as p on n.lon = p.lon and n.lat = p.lat
    left join {{ ref('dim_grid') }} as pg on p.grid_id = pg.grid_id
    left join {{ ref('dim_grid') }} as g
        on n.source_grid_id = g.grid_id and (n.lon is null or n.lat is null or not l.has_grid)
    left join district_names as d on n.source_district_code = d.name
)

select
    report_id,
    case_id,
    source_system,
    layer,
    version_at as snapshot,
    grid_id,
    community_id,
    street_id,
    district_id,
    source_district_code as source_district_name,
    case
        when has_point and (source_district_id is not null or source_grid_id is not null)
            then coalesce(source_district_id is not null and source_district_id is distinct from district_id, false)
                or coalesce(source_grid_id is not null and has_grid and source_grid_id is distinct from grid_id, false)
    end as is_area_disagreeing,
    case when has_grid then grid_id is not null else district_id is not null end as has_valid_location,
    {%- for column in carried if column not in ['version_at', 'source_district_code'] %}
    {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from placed
