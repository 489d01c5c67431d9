-- months are the same for whoever looks, so that a page opens also for a unit that has no row in any of them
select distinct
    'case' as topic,
    {{ month_text('period_start') }} as month
from {{ ref('indicator_value') }}
where area_level = 'city' and dept_id = '*' and period_kind = 'month'
union all
select distinct
    'permit' as topic,
    {{ month_text('applied_at') }} as month
from {{ ref('fct_permit') }}
where applied_at is not null
