-- over fct_case and by its month: one month's cases are enough for one month's rows
with judged as (
    select
        {{ month_or_unknown('c.reported_at') }} as month,
        c.district_id,
        c.street_id,
        coalesce(c.dept_id, 'unassigned') as dept_id,
        c.channel_code,
        cast({{ stage_reached('c', 'status') }} as integer) as stage_no,
        c.is_cancelled or c.status_code = 'not_accepted' as is_left_out,
        {%- for record in stage_records().values() %}
        c.is_{{ record }}_recorded{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('fct_case') }} as c
    left join {{ ref('case_status') }} as status on c.status_code = status.code
),

reached as (
    select
        month,
        district_id,
        street_id,
        dept_id,
        channel_code,
        stage_no,
        is_left_out,
        {%- for record in stage_records().values() %}
        is_{{ record }}_recorded,
        {%- endfor %}
        count(*) as case_count
    from judged
    group by month, district_id, street_id, dept_id, channel_code, stage_no, is_left_out
        {%- for record in stage_records().values() %}, is_{{ record }}_recorded{% endfor %}
),

passed as (
    select
        r.month,
        r.district_id,
        r.street_id,
        r.dept_id,
        r.channel_code,
        s.code as stage,
        sum(r.case_count) as case_count
    from reached as r
    inner join {{ ref('case_stage') }} as s
        on
            s.stage_no = 0
            or (
                r.stage_no >= s.stage_no and not r.is_left_out
                -- a stage that the source does not record is not passed by its cases, nor skipped: it is not known
                and case s.code
                    {%- for stage, record in stage_records().items() %}
                    when '{{ stage }}' then r.is_{{ record }}_recorded
                    {%- endfor %}
                end
            )
    group by r.month, r.district_id, r.street_id, r.dept_id, r.channel_code, s.code
)

select
    p.month,
    p.district_id,
    {{ label_pair('district_name', 'district', 'p.district_id') }},
    p.street_id,
    {{ label_pair('street_name', 'street', 'p.street_id') }},
    p.dept_id,
    {{ label_pair('dept_name', 'department', 'p.dept_id') }},
    p.channel_code,
    {{ label_pair('channel_name', 'channel', 'p.channel_code') }},
    p.stage,
    s.stage_no,
    {{ label_pair('stage_name', 's', 'p.stage') }},
    cast(p.case_count as bigint) as case_count
from passed as p
inner join {{ ref('case_stage') }} as s on p.stage = s.code
left join {{ ref('int_area_name') }} as district on coalesce(p.district_id, 'none:district') = district.area_id
left join {{ ref('int_area_name') }} as street on coalesce(p.street_id, 'none:street') = street.area_id
left join {{ ref('int_department_name') }} as department on p.dept_id = department.dept_id
left join {{ ref('case_channel') }} as channel on p.channel_code = channel.code
