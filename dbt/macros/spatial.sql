{#
    Everything spatial goes through these macros. Core stores geometry as WKB, and the distributed engine has no ST_*
    functions at all: there areas are assigned before, so the default versions fail with that sentence.
#}
{% macro geo_missing(name) %}
    {{ exceptions.raise_compiler_error(name ~ ': this engine has no spatial functions; build areas, grids and the '
        ~ 'assignment on DuckDB and read the assigned tables here') }}
{% endmacro %}

{% macro default__geo(name, arguments) %}{{ gridlake.geo_missing(name) }}{% endmacro %}

{% macro geo(name, arguments) -%}
    {{ adapter.dispatch('geo', 'gridlake')(name, arguments) }}
{%- endmacro %}

{% macro duckdb__geo(name, arguments) -%}
    {%- set a = arguments[0] -%}
    {%- set b = arguments[1] if arguments | length > 1 -%}
    {%- set forms = {
        'from_wkb': 'st_geomfromwkb(' ~ a ~ ')',
        'to_wkb': 'cast(st_aswkb(' ~ a ~ ') as blob)',
        'valid': 'st_makevalid(' ~ a ~ ')',
        'point': 'st_point(' ~ a ~ ', ' ~ (b or '') ~ ')',
        'covers': 'st_covers(' ~ a ~ ', ' ~ (b or '') ~ ')',
        'intersects': 'st_intersects(' ~ a ~ ', ' ~ (b or '') ~ ')',
        'shared_area': 'st_area(st_intersection(' ~ a ~ ', ' ~ (b or '') ~ '))',
        'inner_point': 'st_pointonsurface(' ~ a ~ ')',
        'x': 'st_x(' ~ a ~ ')',
        'y': 'st_y(' ~ a ~ ')',
        'km2': 'round(st_area_spheroid(st_flipcoordinates(' ~ a ~ ')) / 1000000.0, 6)'
    } -%}
    {{ forms[name] }}
{%- endmacro %}

{#
    The areas a point lies in, by level: relation of lon, lat, grid_id, community_id, street_id, district_id.

    points: a relation with columns lon, lat (one row per distinct pair, neither NULL); areas: dim_area.
    ST_Covers and not ST_Contains, which loses points on shared edges; a point on an edge goes to the lowest area id.
    Ended areas take no points: everything is shown in the geography of today.
#}
{% macro areas_of_points(points, areas) %}
    select
        lon,
        lat,
        min(case when area_level = 'grid' then area_id end) as grid_id,
        min(case when area_level = 'community' then area_id end) as community_id,
        min(case when area_level = 'street' then area_id end) as street_id,
        min(case when area_level = 'district' then area_id end) as district_id
    from (
        select
            located.lon,
            located.lat,
            shapes.area_level,
            shapes.area_id
        from (select lon, lat, {{ geo('point', ['lon', 'lat']) }} as point from {{ points }}) as located
        inner join (
            select area_level, area_id, {{ geo('from_wkb', ['geometry']) }} as shape
            from {{ areas }}
            where geometry is not null and valid_to is null and area_level <> 'city'
        ) as shapes
            on {{ geo('covers', ['shapes.shape', 'located.point']) }}
    ) as hits
    group by lon, lat
{% endmacro %}

{# One row: which levels have polygons (has_grid …); a level with polygons is assigned by position only. #}
{% macro levels_with_shapes(areas) %}
    select
        {%- for level in ['grid', 'community', 'street', 'district'] %}
        coalesce(bool_or(area_level = '{{ level }}'), false) as has_{{ level }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ areas }}
    where geometry is not null and valid_to is null
{% endmacro %}

{#
    Exterior rings of areas: relation of area_id, ring (JSON text [[lon,lat],…]), one row per part of an area's shape.

    For drawing only: the line is simplified by a hundred-thousandth of a degree (1 m), which makes the rings of a detailed
    boundary eight times shorter, and cut to a millionth.
#}
{% macro area_rings(areas) -%}
    {{ adapter.dispatch('area_rings', 'gridlake')(areas) }}
{%- endmacro %}

{% macro default__area_rings(areas) -%}
    {{ gridlake.geo_missing('area_rings') }}
{%- endmacro %}

{% macro duckdb__area_rings(areas) %}
    select area_id, ring
    from (
        select
            area_id,
            json_extract_string(st_asgeojson(st_reduceprecision(st_exteriorring(part), 0.000001)), '$.coordinates') as ring
        from (
            select
                area_id,
                unnest(st_dump(st_simplifypreservetopology(st_geomfromwkb(geometry), 0.00001))).geom as part
            from {{ areas }}
            where geometry is not null
        ) as parts
        where st_geometrytype(part) = 'POLYGON'
    ) as rings
    where ring <> '[]'
{% endmacro %}
