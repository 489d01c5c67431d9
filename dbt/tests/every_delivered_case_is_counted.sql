-- What stands in staging and was not deleted later stands in core: nothing is lost between two runs.
select v.report_id
from {{ ref('int_case_version') }} as v
left join {{ ref('fct_case_report') }} as r on v.report_id = r.report_id
group by v.report_id
having
    max(case when v._is_deleted then -1 else v._load_seq end) >= max(v._load_seq)
    and count(r.report_id) = 0
