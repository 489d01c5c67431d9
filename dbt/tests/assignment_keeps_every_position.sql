-- A point on a shared edge is one point: assigning areas neither loses nor doubles a report that lies in one.
select r.report_id
from {{ ref('fct_case_report') }} as r
inner join (
    select {{ geo('from_wkb', ['geometry']) }} as shape from {{ ref('dim_area') }}
    where area_level = 'district' and valid_to is null and geometry is not null
) as d on {{ geo('covers', ['d.shape', geo('point', ['r.lon', 'r.lat'])]) }}
where r.district_id is null
