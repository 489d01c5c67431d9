select
    source_system || ':' || source_case_id as case_id,
    source_system || ':' || source_case_id || ':' || coalesce(layer, '') as report_id,
    {{ column_names('case') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded,
    {{ superseded_order('_delivery_id') }} as _superseded_order,
    {{ has_ended('_delivery_id') }} as _has_ended
from (
    {{ feed('case') }}
) as fed
