{%- set stages = ['file', 'dispatch', 'handle', 'close'] %}
{%- set amounts = ['due', 'on_time'] %}
-- one look at the cube for all four stages
with due as (
    select
        {{ month_text('day') }} as month,
        district_id,
        street_id,
        coalesce(dept_id, 'unassigned') as dept_id,
        {%- for stage in stages %}
        {%- set last = loop.last %}
        {%- for amount in amounts %}
        sum({{ stage }}_{{ amount }}_count) as {{ stage }}_{{ amount }}_count{{ ',' if not (last and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    from {{ ref('int_case_day') }}
    where
        {%- for stage in stages %}
        {{ stage }}_due_count <> 0{{ ' or' if not loop.last }}
        {%- endfor %}
    group by {{ month_text('day') }}, district_id, street_id, coalesce(dept_id, 'unassigned')
),

staged as (
    select
        d.month,
        d.district_id,
        d.street_id,
        d.dept_id,
        s.due_code as stage,
        s.stage_no,
        {{ label_pair('stage_name', 's', 's.due_code') }},
        {%- for amount in amounts %}
        cast(
            case
                {%- for stage in stages %}
                when s.due_code = '{{ stage }}' then d.{{ stage }}_{{ amount }}_count
                {%- endfor %}
            end as bigint
        ) as {{ amount }}_count{{ ',' if not loop.last }}
        {%- endfor %}
    from due as d
    inner join {{ ref('case_stage') }} as s on s.due_code is not null
)

select
    d.month,
    d.district_id,
    {{ label_pair('district_name', 'district', 'd.district_id') }},
    d.street_id,
    {{ label_pair('street_name', 'street', 'd.street_id') }},
    d.dept_id,
    {{ label_pair('dept_name', 'department', 'd.dept_id') }},
    d.stage,
    d.stage_no,
    {{ carried_pairs('d', ['stage_name']) }},
    d.due_count,
    d.on_time_count
from staged as d
left join {{ ref('int_area_name') }} as district on coalesce(d.district_id, 'none:district') = district.area_id
left join {{ ref('int_area_name') }} as street on coalesce(d.street_id, 'none:street') = street.area_id
left join {{ ref('int_department_name') }} as department on d.dept_id = department.dept_id
where d.due_count <> 0
