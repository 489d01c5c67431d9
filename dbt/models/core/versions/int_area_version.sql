select
    {{ column_names('area') | join(',\n    ') }}
from (
    {{ feed('area') }}
) as fed
