"""Nobody is locked out for good, and no file tells a password that no longer holds.

Both are watched where Superset writes its accounts, so that every way to change one is covered: `gridlake accounts`,
the administrators' pages, and the API.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

ADMINISTRATORS = "Admin"
_BEFORE = "gridlake_administrators"
_CHANGED = "gridlake_changed_accounts"
# A role comes to an account by itself or by a group.
_ADMINISTRATORS = """
    SELECT count(*) FROM ab_user WHERE active AND id IN (
        SELECT held.user_id FROM ab_user_role held JOIN ab_role ON ab_role.id = held.role_id AND ab_role.name = :role
        UNION
        SELECT member.user_id FROM ab_user_group member JOIN ab_group_role held ON held.group_id = member.group_id
        JOIN ab_role ON ab_role.id = held.role_id AND ab_role.name = :role)
"""


class LastAdministrator(IntegrityError):
    """The change would leave no account that can administer; nothing is changed."""

    def __init__(self) -> None:
        """Superset answers an IntegrityError as the request's fault, with the words of its origin."""
        chinese = "这是最后一个管理员账号，请先把管理员角色授予另一个账号。"
        english = "this is the last administrator: give another account the role admin first"
        super().__init__("accounts", None, ValueError(f"{chinese} / {english}"))


def install(files: Path) -> None:
    """Watch the accounts; `files` is Superset's folder in the home, where passwords that were made are kept."""
    from sqlalchemy import event
    from superset import db, security_manager

    session = db.session
    event.listen(session, "before_flush", _count_before)
    event.listen(session, "after_flush", _refuse_none_left)
    user = security_manager.user_model
    event.listen(user, "after_update", _note_change)
    event.listen(session, "after_commit", lambda ended: _forget(files, ended))
    event.listen(session, "after_soft_rollback", lambda ended, _: ended.info.pop(_CHANGED, None))


def files_of(files: Path, name: str) -> list[Path]:
    """Where a password that was made for the account may stand; the first account's has another place too."""
    return [files / "passwords" / name, *([files / "first-password"] if name == "admin" else [])]


def _note_change(_: Any, __: Any, account: Any) -> None:
    from sqlalchemy import inspect, orm

    # Each sign-in changes the account too, and a look at a password takes a tenth of a second.
    state, session = inspect(account).attrs, orm.object_session(account)
    if session is None:
        return
    if state.password.history.has_changes() or state.active.history.has_changes():
        changed = session.info.setdefault(_CHANGED, {})
        changed[str(account.username)] = str(account.password) if account.active else ""


def _forget(files: Path, session: Any) -> None:
    for name, hashed in session.info.pop(_CHANGED, {}).items():
        forget_unless_it_holds(files, name, hashed)


def forget_unless_it_holds(files: Path, name: str, hashed: str) -> None:
    """Remove the file of a password that is not the account's any more; `hashed` is empty for a closed account."""
    from werkzeug.security import check_password_hash

    for file in files_of(files, name):
        if file.exists() and not (hashed and check_password_hash(hashed, file.read_text(encoding="utf-8").strip())):
            file.unlink(missing_ok=True)


def _count_before(session: Any, *_: Any) -> None:
    from superset import security_manager

    watched = (security_manager.user_model, security_manager.role_model, security_manager.group_model)
    changed = [*session.dirty, *session.deleted]
    session.info[_BEFORE] = _administrators(session) if any(isinstance(item, watched) for item in changed) else 0


def _refuse_none_left(session: Any, *_: Any) -> None:
    if session.info.pop(_BEFORE, 0) and not _administrators(session):
        raise LastAdministrator


def _administrators(session: Any) -> int:
    """How many open accounts may administer, as the database has it within this transaction."""
    return int(session.connection().execute(text(_ADMINISTRATORS), {"role": ADMINISTRATORS}).scalar())
