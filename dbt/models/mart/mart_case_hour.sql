-- over fct_case and by its month: one month's cases are enough for one month's rows
with timed as (
    select
        {{ month_or_unknown('reported_at') }} as month,
        {{ iso_weekday(local_day('reported_at')) }} as iso_weekday,
        cast(extract(hour from reported_at) as integer) as hour,
        district_id,
        coalesce(dept_id, 'unassigned') as dept_id
    from {{ ref('fct_case') }}
    where reported_at is not null
),

reported as (
    select
        month,
        iso_weekday,
        hour,
        district_id,
        dept_id,
        count(*) as case_count
    from timed
    group by month, iso_weekday, hour, district_id, dept_id
)

select
    r.month,
    r.iso_weekday,
    {{ label_pair('weekday_name', 'weekday', 'cast(r.iso_weekday as ' ~ column_type('text') ~ ')') }},
    r.hour,
    r.district_id,
    {{ label_pair('district_name', 'district', 'r.district_id') }},
    r.dept_id,
    {{ label_pair('dept_name', 'department', 'r.dept_id') }},
    r.case_count
from reported as r
{{ join_labels('weekday', 'cast(r.iso_weekday as ' ~ column_type('text') ~ ')') }}
left join {{ ref('int_area_name') }} as district on coalesce(r.district_id, 'none:district') = district.area_id
left join {{ ref('int_department_name') }} as department on r.dept_id = department.dept_id
