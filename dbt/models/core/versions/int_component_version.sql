select
    {{ column_names('component') | join(',\n    ') }}
from (
    {{ feed('component') }}
) as fed
