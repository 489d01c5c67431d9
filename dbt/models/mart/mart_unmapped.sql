{%- set lists = [
    ('class', ref('fct_case_report'), 'class_code', 'source_class_code', 'source_class_name', 'reported_at'),
    ('status', ref('fct_case_report'), 'status_code', 'source_status_code', none, 'reported_at'),
    ('channel', ref('fct_case_report'), 'channel_code', 'source_channel_code', none, 'reported_at'),
    ('department', ref('fct_case_report'), 'dept_id', 'source_dept_code', none, 'reported_at'),
    ('permit_type', ref('fct_permit'), 'permit_type_code', 'source_permit_type', none, 'coalesce(applied_at, decided_at)'),
    ('permit_decision', ref('fct_permit'), 'decision_code', 'source_decision_code', none, 'coalesce(applied_at, decided_at)'),
    ('component_class', ref('dim_component'), 'class_code', 'source_class_code', none, 'surveyed_date'),
    ('component_status', ref('dim_component'), 'status_code', 'source_status_code', none, 'surveyed_date')
] %}

with unmapped as (
    {%- for list, relation, code, source_code, source_name, at in lists %}
    select
        source_system,
        '{{ list }}' as list,
        {{ source_code }} as source_code,
        max({{ source_name or source_code }}) as source_name,
        count(*) as row_count,
        min(cast({{ at }} as timestamp)) as first_at,
        max(cast({{ at }} as timestamp)) as last_at
    from {{ relation }}
    where {{ code }} = 'unmapped'
    group by source_system, {{ source_code }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    u.source_system,
    {{ label_pair('source_system_name', 's', 'u.source_system') }},
    u.list,
    {{ label_pair('list_name', 'work_list', 'u.list') }},
    u.source_code,
    u.source_name,
    u.row_count,
    u.first_at,
    u.last_at
from unmapped as u
left join {{ ref('source_system') }} as s
    on u.source_system = s.code and s.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
{{ join_labels('work_list', 'u.list') }}
