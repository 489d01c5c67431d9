-- a named parent may be of any level above, so the chain is walked once per level and each step tells which level it found
{%- set levels = ['community', 'street', 'district', 'city'] %}

with grids as (
    select * from {{ ref('dim_area') }}
    where area_level = 'grid'
),

parents as (
    select * from {{ ref('dim_area') }}
    where area_level <> 'grid'
),

chain as (
    select
        g.area_id as grid_id,
        {%- for n in range(1, 5) %}
        p{{ n }}.area_id as area_id_{{ n }},
        p{{ n }}.area_level as area_level_{{ n }},
        {%- endfor %}
        g.area_name_zh as grid_name_zh,
        g.area_name_en as grid_name_en,
        g.area_km2,
        g.geometry,
        g.valid_from,
        g.valid_to
    from grids as g
    left join parents as p1 on g.parent_area_id = p1.area_id
    {%- for n in range(2, 5) %}
    left join parents as p{{ n }} on p{{ n - 1 }}.parent_area_id = p{{ n }}.area_id
    {%- endfor %}
)

select
    grid_id,
    coalesce(grid_name_zh, grid_name_en) as grid_name,
    {%- for level in levels %}
    case
        {%- for n in range(1, 5) %}
        when area_level_{{ n }} = '{{ level }}' then area_id_{{ n }}
        {%- endfor %}
    end as {{ level }}_id,
    {%- endfor %}
    area_km2,
    geometry,
    {{ geo('x', [geo('inner_point', [geo('from_wkb', ['geometry'])])]) }} as lon,
    {{ geo('y', [geo('inner_point', [geo('from_wkb', ['geometry'])])]) }} as lat,
    valid_from,
    valid_to
from chain
