select
    {{ column_names('area') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded
from (
    {{ feed('area') }}
) as fed
