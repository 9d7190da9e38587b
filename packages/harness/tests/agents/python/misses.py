import a_package_that_is_not_installed


def agent(prompt):
    return "never"
