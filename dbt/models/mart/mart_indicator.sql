select
    v.indicator_code,
    {{ label_pair('indicator_name', 'd', 'v.indicator_code') }},
    d.node,
    n.node_no,
    {{ label_pair('node_name', 'n', 'd.node') }},
    d.unit,
    {{ label_pair('unit_name', 'unit', 'd.unit') }},
    d.direction,
    {{ label_pair('direction_name', 'direction', 'd.direction') }},
    d.weight,
    d.floor,
    d.target,
    d.factor,
    v.definition_version,
    d.source as definition_source,
    d.confidence,
    v.area_level,
    p.level_no,
    {{ carried_pairs('p', ['level_name']) }},
    v.area_id,
    {{ carried_pairs('p', ['area_name']) }},
    p.district_id,
    {{ carried_pairs('p', ['district_name']) }},
    v.dept_id,
    {{ label_pair('dept_name', 'department', 'v.dept_id') }},
    v.period_kind,
    v.period_start,
    {{ month_text('v.period_start') }} as month,
    {{ is_provisional('v.period_kind', 'v.period_start', 's.as_of') }} as is_provisional,
    v.numerator,
    v.denominator,
    v.value,
    v.score,
    v.status,
    {{ label_pair('status_name', 'indicator_status', 'v.status') }},
    v.is_recorded,
    v.recorded_count,
    v.reported_count,
    -- rows with the same key may be added up: they count different things in the same way; a stock only at one moment
    v.indicator_code || ':' || v.area_level || ':' || v.period_kind
    || case when v.dept_id = '*' then ':all' else ':unit' end
    || case
        when {{ is_stock() }} then ':' || cast(v.period_start as {{ column_type('text') }})
        else ''
    end as sum_key
from {{ ref('indicator_score') }} as v
inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
cross join {{ ref('mart_state') }} as s
left join {{ ref('index_node') }} as n on d.node = n.code
left join {{ ref('int_area_place') }} as p on v.area_id = p.area_id
left join {{ ref('int_department_name') }} as department on v.dept_id = department.dept_id
{{ join_labels('unit', 'd.unit') }}
{{ join_labels('direction', 'd.direction') }}
{{ join_labels('indicator_status', "case when v.is_recorded then v.status else 'not_recorded' end") }}
where {{ is_shown_place('v') }}
