with recorded as (
    {{ recorded_since(['permit_due', 'permit_decision', 'permit_validity']) }}
)

select
    p.permit_id,
    p.permit_type_code,
    {{ label_pair('permit_type_name', 't', 'p.permit_type_code') }},
    coalesce(t.is_licence, true) as is_licence,
    p.decision_code,
    {{ label_pair('decision_name', 'x', 'p.decision_code') }},
    {{ month_or_unknown('p.applied_at') }} as month,
    {{ month_text('p.decided_at') }} as decided_month,
    p.applied_at,
    p.accepted_at,
    p.due_at,
    p.decided_at,
    p.valid_from,
    p.valid_to,
    coalesce(p.dept_id, 'unassigned') as dept_id,
    {{ label_pair('dept_name', 'department', "coalesce(p.dept_id, 'unclear')") }},
    p.district_id,
    {{ label_pair('district_name', 'district', 'p.district_id') }},
    p.grid_id,
    p.lon,
    p.lat,
    case
        when {{ local_day('coalesce(p.accepted_at, p.applied_at)') }} <= {{ local_day('p.decided_at') }}
            then {{ day_number(local_day('p.decided_at')) }}
                - {{ day_number(local_day('coalesce(p.accepted_at, p.applied_at)')) }}
    end as decision_days,
    -- without a record of decisions an undecided permit is not late, and without one of validity none has run out
    case
        when not {{ is_recorded('permit_decision', 'o', 'p.applied_at') }} then null
        when coalesce(x.is_judged, false) and p.decided_at is not null then p.decided_at <= p.due_at
        when coalesce(x.is_judged, false) and p.due_at <= s.as_of then false
    end as is_on_time,
    case
        when {{ is_recorded('permit_validity', 'o', 'p.applied_at') }}
            then coalesce(
                coalesce(x.is_granting, false)
                and (p.valid_from is null or p.valid_from <= {{ local_day('s.as_of') }})
                and (p.valid_to is null or p.valid_to >= {{ local_day('s.as_of') }}),
                false
            )
    end as is_in_force,
    {{ is_recorded('permit_due', 'o', 'p.applied_at') }} as is_due_recorded,
    {{ is_recorded('permit_decision', 'o', 'p.applied_at') }} as is_decision_recorded,
    p.source_system
from {{ ref('fct_permit') }} as p
cross join {{ ref('mart_state') }} as s
left join recorded as o on p.source_system = o.source_system
left join {{ ref('permit_type') }} as t on p.permit_type_code = t.code
left join {{ ref('permit_decision') }} as x on p.decision_code = x.code
left join {{ ref('int_department_name') }} as department on coalesce(p.dept_id, 'unclear') = department.dept_id
left join {{ ref('int_area_name') }} as district on coalesce(p.district_id, 'none:district') = district.area_id
