select
    source_system || ':' || source_case_id as case_id,
    source_system || ':' || source_case_id || ':' || coalesce(layer, '') as report_id,
    {{ column_names('case') | join(',\n    ') }}
from (
    {{ feed('case') }}
) as fed
