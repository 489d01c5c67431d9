-- No case without a report, no report without a case, and the count on the case is the count of its reports.
select
    coalesce(c.case_id, r.case_id) as case_id,
    c.report_count,
    r.found_count
from {{ ref('fct_case') }} as c
full outer join (
    select case_id, count(*) as found_count from {{ ref('fct_case_report') }}
    group by case_id
) as r on c.case_id = r.case_id
where c.report_count is distinct from r.found_count
