{#
    Labels come in pairs <name>_zh, <name>_en. Each falls back to the other, then to the code, so that a city whose sources know
    one language only shows that one.

    label: a relation with name_zh and name_en, joined on the code.
#}
{% macro label_pair(name, label, code) -%}
    coalesce({{ label }}.name_zh, {{ label }}.name_en, {{ code }}) as {{ name }}_zh,
    coalesce({{ label }}.name_en, {{ label }}.name_zh, {{ code }}) as {{ name }}_en
{%- endmacro %}

{# Pairs that stand in a relation already, carried as they are. #}
{% macro carried_pairs(relation, names) -%}
    {%- for name in names -%}
    {{ relation }}.{{ name }}_zh,
    {{ relation }}.{{ name }}_en{{ ',' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{# Join of one list of the seed code_label under the list's name. #}
{% macro join_labels(list, code, alias=none) -%}
    left join {{ ref('code_label') }} as {{ alias or list }}
        on {{ alias or list }}.list = '{{ list }}' and {{ code }} = {{ alias or list }}.code
{%- endmacro %}

{# The month a row is filed under in the marts; what has no time has its own. #}
{% macro month_or_unknown(moment) -%}
    coalesce({{ month_text(moment) }}, '0000-00')
{%- endmacro %}

{# Whether a period was not over yet at the data's horizon: more is still to come for it. #}
{% macro is_provisional(period_kind, period_start, as_of) -%}
    coalesce(
        {{ period_start }} >= case
            when {{ period_kind }} = 'day' then {{ local_day(as_of) }}
            else {{ month_start(as_of) }}
        end,
        true
    )
{%- endmacro %}

{#
    Which rows of an indicator or index are shown: months down to communities for all units together, single units by city and
    district; days for the city only. The grids are on the map, and everything below can be counted from the cases.
#}
{% macro is_shown_place(figures) -%}
    {{ figures }}.area_level <> 'grid'
    and (
        ({{ figures }}.period_kind = 'month' and ({{ figures }}.dept_id = '*' or {{ figures }}.area_level in ('city', 'district')))
        or ({{ figures }}.period_kind = 'day' and {{ figures }}.area_level = 'city')
    )
{%- endmacro %}

{# Sum of the numbers in a JSON object of text, {"a": 1, "b": 2} -> 3. #}
{% macro json_number_sum(column) -%}
    {{ adapter.dispatch('json_number_sum', 'gridlake')(column) }}
{%- endmacro %}

{% macro default__json_number_sum(column) -%}
    aggregate(map_values(from_json({{ column }}, 'map<string,bigint>')), 0L, (total, number) -> total + number)
{%- endmacro %}

{% macro duckdb__json_number_sum(column) -%}
    coalesce(list_sum(map_values(cast(cast({{ column }} as json) as map(varchar, bigint)))), 0)
{%- endmacro %}

{# Number of elements of a list; NULL counts 0. #}
{% macro list_length(column) -%}
    {{ adapter.dispatch('list_length', 'gridlake')(column) }}
{%- endmacro %}

{% macro default__list_length(column) -%}
    coalesce(size({{ column }}), 0)
{%- endmacro %}

{% macro duckdb__list_length(column) -%}
    coalesce(len({{ column }}), 0)
{%- endmacro %}

{# One element of a list by its number from 1; NULL where the list has no such. #}
{% macro list_item(column, number) -%}
    {{ adapter.dispatch('list_item', 'gridlake')(column, number) }}
{%- endmacro %}

{% macro default__list_item(column, number) -%}
    try_element_at({{ column }}, {{ number }})
{%- endmacro %}

{% macro duckdb__list_item(column, number) -%}
    {{ column }}[{{ number }}]
{%- endmacro %}

{# A sentence whose places {1} to {4} are filled from a list of texts. #}
{% macro filled_sentence(sentence, texts) -%}
    {%- set filled = namespace(sql=sentence) -%}
    {%- for number in range(1, 5) -%}
        {%- set filled.sql = "replace(" ~ filled.sql ~ ", '{" ~ number ~ "}', coalesce(" ~ list_item(texts, number) ~ ", ''))" -%}
    {%- endfor -%}
    {{ filled.sql }}
{%- endmacro %}
