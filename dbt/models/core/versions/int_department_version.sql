select
    {{ column_names('department') | join(',\n    ') }}
from (
    {{ feed('department') }}
) as fed
