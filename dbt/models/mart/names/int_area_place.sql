-- a named parent may be of any level above, so the chain is walked as far as there are levels between a grid and its district
with chain as (
    select
        a.area_id,
        a.area_level,
        case
            {%- for n in range(4) %}
            when p{{ n }}.area_level = 'district' then p{{ n }}.area_id
            {%- endfor %}
        end as district_id
    from {{ ref('dim_area') }} as a
    inner join {{ ref('dim_area') }} as p0 on a.area_id = p0.area_id
    {%- for n in range(1, 4) %}
    left join {{ ref('dim_area') }} as p{{ n }} on p{{ n - 1 }}.parent_area_id = p{{ n }}.area_id
    {%- endfor %}
)

select
    c.area_level,
    l.level_no,
    {{ label_pair('level_name', 'l', 'c.area_level') }},
    c.area_id,
    {{ label_pair('area_name', 'n', 'c.area_id') }},
    c.district_id,
    {{ label_pair('district_name', 'd', 'c.district_id') }}
from chain as c
inner join {{ ref('area_level') }} as l on c.area_level = l.code
inner join {{ ref('int_area_name') }} as n on c.area_id = n.area_id
left join {{ ref('int_area_name') }} as d on c.district_id = d.area_id
