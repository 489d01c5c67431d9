{#
    latest(relation, keys, columns): the newest version of each key, one row per key; deleted keys are absent.

    Newest is the greatest version_at, and among equals the greatest text of all columns: never the load order, so that
    deliveries read in any order give the same table. Only a deletion is a matter of load order: a tombstone says that the key
    had vanished at that load, and the key is deleted until a later load brings it again.
    with_deleted keeps deleted keys (their last state) and adds is_key_deleted; prefer is an order among equally new versions.
#}
{% macro latest(relation, keys, columns, with_deleted=false, prefer=none) %}
    select {{ columns | join(', ') }}{{ ', is_key_deleted' if with_deleted }}
    from (
        select
            *,
            row_number() over (
                partition by {{ keys | join(', ') }}
                order by _is_deleted, version_at desc nulls last{{ ', ' ~ prefer if prefer }}{% for column in columns if column not in keys %}, {{ order_text(column) }} desc nulls last{% endfor %}
            ) as version_rank
        from (
            select
                *,
                coalesce(
                    max(case when _is_deleted then _load_seq end) over (partition by {{ keys | join(', ') }})
                    > coalesce(
                        max(case when not _is_deleted then _load_seq end) over (partition by {{ keys | join(', ') }}), -1
                    ), false
                ) as is_key_deleted
            from {{ relation }}
        ) as marked
    ) as ranked
    where version_rank = 1{{ ' and not is_key_deleted' if not with_deleted }}
{% endmacro %}

{# Columns in the order of a sort: geometry has no order of its own, its WKB has. #}
{% macro order_text(column) %}
    {{- return(geo('to_wkb', [column]) if column == 'geometry' else column) -}}
{% endmacro %}
