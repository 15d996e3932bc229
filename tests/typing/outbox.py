"""What type checkers see of an outbox; never run."""

from typing import assert_type

from ongage_async import Lane, NewContact, OngageClient
from ongage_async.models import ContactsReport, MutationResult, SendResult, SuppressionResult
from ongage_async.outbox import Entry, Handle, Outbox, OutboxStatistics, Status


async def keep(ongage: OngageClient) -> None:
    """Each handle knows what its `wait` returns."""
    async with ongage.outbox("sqlite:///var/lib/app/outbox.db", is_sender=False, keep_s=3600.0) as outbox:
        assert_type(outbox, Outbox)
        sent = await outbox.transactional.send(7, "john@doe.com", campaign_id=3, key="order 7", expires_in_s=60)
        assert_type(sent, Handle[SendResult])
        assert_type(await sent.wait(timeout_s=1.0), SendResult)
        assert_type(await sent.status(), Status)
        written = await outbox.transactional.send_embed_content(["john@doe.com"], subject="Hi", tenant="shop")
        assert_type(await written.wait(), SendResult)
        made = await outbox.contacts.create([NewContact("john@doe.com")], overwrite=True, lane=Lane.URGENT)
        assert_type(await made.wait(), ContactsReport)
        assert_type(await (await outbox.contacts.delete("5c0ffee")).wait(), MutationResult)
        assert_type(await (await outbox.suppression.add(7, ["john@doe.com"])).wait(), SuppressionResult)
        assert_type(await outbox.statistics(), OutboxStatistics)
        async for entry in outbox.each("uncertain"):
            assert_type(entry, Entry)
            await outbox.discard(entry.id)
