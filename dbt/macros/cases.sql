{#
    The furthest stage of the closed loop that a case has reached, 0 (reported) to 5 (closed), over the columns of fct_case and
    the row `status` of its status. A source that keeps no time of a stage still tells by the status that it was passed.
#}
{% macro stage_reached(cases, status) -%}
    greatest(
        case
            when {{ cases }}.closed_at is not null then 5
            when {{ cases }}.checked_at is not null then 4
            when {{ cases }}.handled_at is not null then 3
            when {{ cases }}.dispatched_at is not null then 2
            when {{ cases }}.is_filed then 1
            else 0
        end,
        coalesce({{ status }}.reached_stage_no, 0)
    )
{%- endmacro %}

{# The months of a case's events and limits but for its report, over the columns of fct_case; NULL where there is none. #}
{% macro event_months(cases) -%}
    {{ month_text('case when ' ~ cases ~ '.is_filed then coalesce(' ~ cases ~ '.filed_at, ' ~ cases ~ '.reported_at) end') }} as filed_month,
    {%- for column in ['dispatched_at', 'handled_at', 'closed_at'] + due_columns() %}
    {{ month_text(cases ~ '.' ~ column) }} as {{ column | replace('_at', '_month') }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    Cases with all codes labelled: the SELECT behind mart_case and behind what mart_case_open reads, so that both say the same of a case.

    cases: fct_case, or a relation with all its columns; carried: further columns of it to keep.
    `month` is an expression over reported_at alone and all joins are left joins: a filter on either reaches the scan.
#}
{% macro labelled_cases(cases, carried=[]) %}
select
    c.case_id,
    {{ month_or_unknown('c.reported_at') }} as month,
    {%- for column in event_columns() + due_columns() %}
    c.{{ column }},
    {%- endfor %}
    {{ event_months('c') }},
    c.class_id,
    class.name_zh as class_name_zh,
    class.name_en as class_name_en,
    class.large_class_name_zh,
    class.large_class_name_en,
    class.class_kind,
    class.class_kind_name_zh,
    class.class_kind_name_en,
    c.channel_code,
    {{ label_pair('channel_name', 'channel', 'c.channel_code') }},
    c.status_code,
    {{ label_pair('status_name', 'status', 'c.status_code') }},
    c.urgency_code,
    {{ label_pair('urgency_name', 'urgency', "coalesce(c.urgency_code, 'not_recorded')") }},
    coalesce(c.dept_id, 'unassigned') as dept_id,
    {{ label_pair('dept_name', 'department', "coalesce(c.dept_id, 'unassigned')") }},
    c.grid_id,
    c.community_id,
    {{ label_pair('community_name', 'community', 'c.community_id') }},
    c.street_id,
    {{ label_pair('street_name', 'street', 'c.street_id') }},
    c.district_id,
    {{ label_pair('district_name', 'district', 'c.district_id') }},
    c.city_id,
    c.lon,
    c.lat,
    c.is_filed,
    c.is_public_report,
    c.is_supervised,
    c.is_cancelled,
    c.has_valid_location,
    c.is_area_disagreeing,
    c.rework_count,
    c.return_count,
    c.report_count,
    c.source_system,
    c.source_class_code,
    c.class_mapping_method,
    {%- for record in event_records() %}
    c.is_{{ record }}_recorded,
    {%- endfor %}
    {%- for column in carried %}
    c.{{ column }},
    {%- endfor %}
    cast({{ stage_reached('c', 'status') }} as integer) as stage_no
from {{ cases }} as c
left join {{ ref('int_class_name') }} as class on c.class_id = class.class_id
left join {{ ref('case_channel') }} as channel on c.channel_code = channel.code
left join {{ ref('case_status') }} as status on c.status_code = status.code
{{ join_labels('urgency', "coalesce(c.urgency_code, 'not_recorded')") }}
left join {{ ref('int_department_name') }} as department on coalesce(c.dept_id, 'unassigned') = department.dept_id
left join {{ ref('int_area_name') }} as community on coalesce(c.community_id, 'none:community') = community.area_id
left join {{ ref('int_area_name') }} as street on coalesce(c.street_id, 'none:street') = street.area_id
left join {{ ref('int_area_name') }} as district on coalesce(c.district_id, 'none:district') = district.area_id
{% endmacro %}
