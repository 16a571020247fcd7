"""What a user sees in the toolbox."""


def test_no_group_is_there_twice(provider):
    groups = {(tool.groupId(), tool.group()) for tool in provider.algorithms()}
    assert len(groups) == len({name for _, name in groups}) == len({identity for identity, _ in groups})
