select
    {{ column_names('component') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded
from (
    {{ feed('component') }}
) as fed
